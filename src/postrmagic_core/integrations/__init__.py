"""One line that puts a pipeline, and a Stack, around an application of somebody else's framework.

::

    from postrmagic_core.integrations.flask import install

    install(app, pipeline, stack)

``fastapi``, ``starlette``, ``flask``, ``django``, ``asgi`` and ``wsgi`` each have an
``install(application, pipeline, stack=None)``. It puts the pipeline where the framework's own page for errors cannot
leave before the ``errors`` layer has seen the exception, opens the Stack with the application and closes it, and lets
log and metrics name the route. A framework is imported when it is used.
"""
