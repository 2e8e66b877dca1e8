/** Server-Sent Events over fetch, because EventSource cannot send an Authorization header. */
export interface StreamEvent {
  event: string
  data: string
  id: string
}

export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const blocks = (rest + value.replaceAll('\r', '')).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const event = parse(block)
        if (event) yield event
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

function parse(block: string): StreamEvent | undefined {
  const event: StreamEvent = { event: 'message', data: '', id: '' }
  const data: string[] = []
  for (const line of block.split('\n')) {
    const [, name, value] = /^(event|data|id):\s?(.*)$/.exec(line) ?? []
    if (name === 'data') data.push(value ?? '')
    else if (name === 'event' || name === 'id') event[name] = value ?? ''
  }
  if (data.length === 0) return undefined
  event.data = data.join('\n')
  return event
}
