"""The sample-domain tools of the codec: normative kernels used alike by encoder and decoder, and the search's costs."""
