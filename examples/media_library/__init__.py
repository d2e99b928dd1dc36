"""PostrMagic's media library: event posters go in, a searchable library with thumbnails comes out."""
