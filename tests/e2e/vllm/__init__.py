"""The real vLLM, on the processor: collected only with `--vllm`."""
