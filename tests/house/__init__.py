"""How the house stands: how many modules, how long, which names repeat, what is entangled."""
