# python tests/unit/runtime/cli/make_templates.py MODEL.gguf... > tests/unit/runtime/cli/templates.json
"""Writes what jinja2, set up as transformers sets it up, makes of chat templates: those of the given models and the
cases below. Needs jinja2 and, for models, gguf."""

import json
import sys

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

CONVERSATIONS = [
    [["user", "Hello"]],
    [["system", "Be brief."], ["user", "Hello"]],
    [["user", "One"], ["assistant", "Two"], ["user", " Three \n"]],
    [["user", "1+1?"], ["assistant", "<think>\nadd\n</think>\n\n2"], ["user", "2+2?"]],
    [["user", "é世界"], ["assistant", "<think>a</think>b"]],
    [["system", ""], ["user", ""]],
]

# The shape of the templates of models that think before they answer.
THINKING = r"""{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- set ns = namespace(searching=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.searching and message.role == "user" and message.content is string and not(message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.searching = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last %}
            {%- if loop.last or (not loop.last and reasoning) %}
                {{- '<|im_start|>' + message.role + '\n<think>\n' + reasoning.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for call in message.tool_calls %}
                {{- call.name }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}
"""

SMALL = [
    "{% for m in messages %}{{ m['role'] }}: {{ m.content }}\n{% endfor %}\n",
    "a\n  {% if true %}\n  b\n  {% endif %}\n c {%- if true -%} d {%+ endif %}\n",
    "x {# note #}\ny\n\n",
    "{{ 'a' ~ 1 ~ none ~ true }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 1 + 2 * 3 }} {{ 2 - 3 - 4 }}",
    "{{ [1, 'b', {'k': [true, none, 1.5]}] | tojson }} {{ 'q\"é' | tojson }}",
    "{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}{{ m.content | trim }};{% else %}none{% endfor %}",
    "{% for m in messages if m.role == 'nobody' %}x{% else %}none{% endfor %}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }}{{ ', ' if not loop.last }}{% endfor %}",
    "{% set x = 1 %}{% for i in range(3) %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
    "{% if undefined_name is not defined and undefined_name is undefined %}u{% endif %}[{{ undefined_name }}]",
    "{{ messages[-1].content[1:3] }}|{{ messages[-1].content[::-1] }}|{{ 'abc'[-2:] }}|{{ 'abc'[5:] }}|{{ 'abc'[:-1] }}",
    "{{ 'a' in 'cat' }} {{ 'z' not in ['z'] }} {{ not 'x' == 'x' }} {{ 1 < 2 and 2 <= 2 or false }} {{ 'b' > 'a' }}",
    "{{ 'A-b'.lower() }}{{ 'a.b.c'.split('.') | join('+') }}{{ ' a  b '.split() | length }}{{ 'aXbX' | replace('X', '') }}",
    "{{ nothing | default('d') }}{{ '' | default('e', true) }}{{ '' | default('f') }}{{ [3, 4] | first }}{{ [3, 4] | last }}",
    "{{ {'a': {'b': 'c'}}.a['b'] }}{{ {'a': 1}.get('z', 'no') }}{{ [1, 2] + [3] }}{{ '}}' }}{{ {'a': {}, 'b': ['x', true]} }}",
    "{% if messages[0].role == 'system' %}s{% elif messages | length > 2 %}long{% else %}short{% endif %}",
    "{{ 'yes' if messages else 'no' }}",
    "{{ 'it\\'s' }}{{ \"a\\tb\\\\n\" }}",
]


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    env.filters["tojson"] = lambda x, **k: json.dumps(x, ensure_ascii=False)
    return env


def model_template(path):
    from gguf import GGUFReader

    field = GGUFReader(path).fields["tokenizer.chat_template"]
    return bytes(field.parts[field.data[0]]).decode()


def main():
    templates = [model_template(path) for path in sys.argv[1:]] + [THINKING] + SMALL
    cases = []
    for template in templates:
        parsed = environment().from_string(template)
        renders, without_thinking = [], []
        for conversation in CONVERSATIONS:
            messages = [{"role": role, "content": content} for role, content in conversation]
            variables = {"messages": messages, "tools": None, "documents": None, "add_generation_prompt": True}
            renders.append(parsed.render(**variables))
            without_thinking.append(parsed.render(**variables, enable_thinking=False))
        cases.append({"template": template, "texts": renders, "without_thinking": without_thinking})
    made = {"made_by": f"jinja2 {jinja2.__version__}", "conversations": CONVERSATIONS, "cases": cases}
    json.dump(made, sys.stdout, ensure_ascii=False, indent=1)
    print()


main()
