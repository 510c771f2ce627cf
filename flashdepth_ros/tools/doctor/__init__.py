"""`flashdepth doctor`: check that this computer can run the node, and print fixes."""
