"""Runs inside the image: makes `/made/smollm2` of the GGUF file in `/gguf`, and an adapter for it, `/made/adapter`."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

MADE = Path("/made")
RANK = 8


def make_model() -> None:
    """Write the model in bfloat16, with its tokenizer and chat template."""
    (weights,) = Path("/gguf").glob("*.gguf")
    model = AutoModelForCausalLM.from_pretrained(
        weights.parent,
        gguf_file=weights.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    # What is written is no GGUF any more.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config._name_or_path = ""
    model.save_pretrained(MADE / "smollm2")
    AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name).save_pretrained(MADE / "smollm2")


def make_adapter() -> None:
    """Write a random adapter in PEFT's form, strong enough to be heard."""
    config = json.loads((MADE / "smollm2" / "config.json").read_text("utf-8"))
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    outputs = {"q_proj": hidden, "v_proj": hidden // heads * config["num_key_value_heads"]}
    torch.manual_seed(1)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        for module, width in outputs.items():
            place = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            tensors[f"{place}.lora_A.weight"] = (torch.randn(RANK, hidden) / 5).to(torch.bfloat16)
            tensors[f"{place}.lora_B.weight"] = (torch.randn(width, RANK) / 5).to(torch.bfloat16)
    folder = MADE / "adapter"
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    about = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": 16, "target_modules": [*outputs]}
    (folder / "adapter_config.json").write_text(json.dumps(about), "utf-8")


if __name__ == "__main__":
    make_model()
    make_adapter()
