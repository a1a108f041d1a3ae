"""Voice activity models behind :class:`voicegw.ports.vad.VadModel`; a file a provider."""
