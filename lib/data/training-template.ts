/**
 * The chat format of Qwen3 with the spans that supervised fine-tuning trains, in Jinja.
 *
 * It differs from the template the model ships with in two things, as TRL's training template does:
 * every assistant turn keeps its thinking (the inference template strips it from turns before the
 * last question, so a conversation rendered with it would train turns the model never sees that way),
 * and `{% generation %}` marks what the assistant itself produces, from `<think>` to the newline
 * behind `<|im_end|>`: the stop token is trained. A turn without thinking has the empty block
 * `<think>\n\n</think>\n\n`, again as TRL does. `chat-template.ts` checks that this format and the
 * model's own agree before using it.
 */
export const QWEN3_TRAINING_TEMPLATE: string = String.raw`
{%- set has_system = messages and messages[0].role == 'system' -%}
{%- if tools -%}
  {{- '<|im_start|>system\n' -}}
  {%- if has_system -%}{{- messages[0].content + '\n\n' -}}{%- endif -%}
  {{- '# Tools\n\nYou may call one or more functions to assist with the user query.\n\n' -}}
  {{- 'You are provided with function signatures within <tools></tools> XML tags:\n<tools>' -}}
  {%- for tool in tools -%}{{- '\n' + (tool | tojson) -}}{%- endfor -%}
  {{- '\n</tools>\n\nFor each function call, return a json object with function name and ' -}}
  {{- 'arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n' -}}
  {{- '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n' -}}
{%- elif has_system -%}
  {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' -}}
{%- endif -%}

{%- for message in messages -%}
  {%- set content = message.content if message.content is string else '' -%}
  {%- if message.role == 'user' or (message.role == 'system' and not loop.first) -%}
    {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>\n' -}}

  {%- elif message.role == 'assistant' -%}
    {%- set thinking = '' -%}
    {%- if message.reasoning_content is string -%}
      {%- set thinking = message.reasoning_content -%}
    {%- elif '</think>' in content -%}
      {%- set thinking = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') -%}
      {%- set content = content.split('</think>')[-1].lstrip('\n') -%}
    {%- endif -%}
    {{- '<|im_start|>assistant\n' -}}
    {%- generation -%}
    {{- '<think>\n' + thinking.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') -}}
    {%- for call in message.tool_calls or [] -%}
      {%- if content or not loop.first -%}{{- '\n' -}}{%- endif -%}
      {%- set function = call.function if call.function else call -%}
      {%- set arguments = function.arguments -%}
      {%- set arguments = arguments if arguments is string else (arguments | tojson) -%}
      {{- '<tool_call>\n{"name": "' + function.name + '", "arguments": ' + arguments -}}
      {{- '}\n</tool_call>' -}}
    {%- endfor -%}
    {{- '<|im_end|>\n' -}}
    {%- endgeneration -%}

  {%- elif message.role == 'tool' -%}
    {#- Consecutive tool results share one user turn. -#}
    {%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}
      {{- '<|im_start|>user' -}}
    {%- endif -%}
    {{- '\n<tool_response>\n' + content + '\n</tool_response>' -}}
    {%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}{{- '<|im_end|>\n' -}}{%- endif -%}
  {%- endif -%}
{%- endfor -%}
`
