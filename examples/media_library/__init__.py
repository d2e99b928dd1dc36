"""PostrMagic's media library: event posters go in, a searchable library with thumbnails comes out.

- What it is: :mod:`.tables` (and ``migrations/``), :mod:`.accounts`, :mod:`.logins`, :mod:`.roles`, :mod:`.library` on
  :mod:`.storage`, :mod:`.listings`, :mod:`.search` and :mod:`.statistics`, :mod:`.notifications`.
- What happens behind the requests: :mod:`.events`, :mod:`.tasks`, :mod:`.colours`, :mod:`.warming`.
- What it says over HTTP: the ``*_api`` modules, which take :mod:`.forms`, ask :mod:`.calls`, give :mod:`.answers` or
  :mod:`.pages`, and refuse by :mod:`.problems`; :mod:`.specification` with :mod:`.examples`, and :mod:`.client`, which
  is made of it; :mod:`.web` puts the pipeline around them, :mod:`.authentication` finds out who asks.
- What applications of others ask: :mod:`.authorization_api`; ``oauth_client`` is such a one, and no part of this.
- What starts it: :mod:`.application` puts it together; ``asgi``, ``worker`` and ``__main__`` are its three processes.
- To try it out and to measure: :mod:`.posters`, :mod:`.seed`, :mod:`.generate`, :mod:`.running`, :mod:`.hostile`,
  :mod:`.smoke`.
"""
