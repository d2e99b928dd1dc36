"""What the shop keeps."""

from django.db import models


class Order(models.Model):
    email = models.EmailField()
    poster = models.CharField(max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True)
