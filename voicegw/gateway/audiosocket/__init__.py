"""AudioSocket: calls that an Asterisk brings by TCP, where no SIP peer can be added to it."""
