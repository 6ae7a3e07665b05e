"""The sandbox: a gateway that moves no money."""
