"""What ``scripts/bench peers`` compares voicegw with, and how all of them are called and measured alike."""
