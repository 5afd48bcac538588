"""The attentive-pooling probe: a learned query over the tokens of a frozen encoder, with a linear layer."""
