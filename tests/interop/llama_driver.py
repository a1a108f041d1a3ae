"""Makes a tiny model with random weights and serves it with llama.cpp's own HTTP server.

Runs in an environment of its own (requirements-llama.lock): ``python llama_driver.py DIRECTORY``. Prints
``ready URL`` when it listens and ends with its process. What the model says is noise, but tools are real: the
server holds it to the grammar of a tool call as soon as it begins one, and a bias on the third special token makes
it begin one.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import gguf
import numpy as np
import xllamacpp

WIDTH, LAYERS, HEADS, FORWARD, CONTEXT = 512, 2, 4, 2048, 16384
BEGIN, END = 256, 257
SPECIAL = ["<|im_start|>", "<|im_end|>", '<tool_call>\n{"name": "', "</tool_call>"]

CHAT = """\
{%- if tools %}<|im_start|>system
You may call these tools:
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
A call looks so:
<tool_call>
{"name": <name>, "arguments": <object>}
</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ "user" if message.role == "tool" else message.role }}
{{ message.content or "" }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def byte_alphabet() -> list[str]:
    """A printable character for each byte, as byte-level tokenisers have since GPT-2."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def describe(writer: gguf.GGUFWriter) -> None:
    """Shape and vocabulary: the bytes and four special tokens."""
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(256 + len(SPECIAL))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(byte_alphabet() + SPECIAL)
    control, user_defined = gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED
    writer.add_token_types([gguf.TokenType.NORMAL] * 256 + [control, control, user_defined, user_defined])
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT)


def fill(writer: gguf.GGUFWriter) -> None:
    """Random weights."""
    random = np.random.default_rng(1)

    def noise(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    tensors = {name: noise(256 + len(SPECIAL), WIDTH) for name in ("token_embd", "output")}
    tensors["output_norm"] = np.ones(WIDTH, np.float32)
    for block in (f"blk.{number}" for number in range(LAYERS)):
        tensors |= {f"{block}.{name}": np.ones(WIDTH, np.float32) for name in ("attn_norm", "ffn_norm")}
        tensors |= {f"{block}.attn_{name}": noise(WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        tensors |= {f"{block}.ffn_{name}": noise(FORWARD, WIDTH) for name in ("gate", "up")}
        tensors[f"{block}.ffn_down"] = noise(WIDTH, FORWARD)
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", tensor)


def make_model(path: Path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    describe(writer)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    model = Path(sys.argv[1]) / "tiny.gguf"
    make_model(model)
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.use_jinja = True
    params.warmup = False
    server = xllamacpp.Server(params)
    os.write(1, f"\nready {server.listening_address}\n".encode())  # whole, whatever else writes to the same pipe
    signal.pause()


main()
