"""A bench for ideas: how good is the encoder of a variant of the method, after a small fixed budget of training?"""
