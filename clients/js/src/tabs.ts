/** Tabs of one browser that have the same document open share it even while they are offline. */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import * as awarenessProtocol from 'y-protocols/awareness'
import * as syncProtocol from 'y-protocols/sync'
import type * as Y from 'yjs'
import { AWARENESS, frame, SYNC } from './messages.js'

export class Tabs {
  readonly #channel: BroadcastChannel | undefined

  constructor(
    name: string,
    private readonly doc: Y.Doc,
    private readonly awareness: awarenessProtocol.Awareness,
  ) {
    if (typeof BroadcastChannel === 'undefined') return
    this.#channel = new BroadcastChannel(name)
    this.#channel.onmessage = (event) => this.#receive(new Uint8Array(event.data as ArrayBuffer))
  }

  /** Asks the others what is missing here. */
  ask(): void {
    this.post(frame(SYNC, (encoder) => syncProtocol.writeSyncStep1(encoder, this.doc)))
  }

  post(message: Uint8Array<ArrayBuffer>): void {
    this.#channel?.postMessage(message.buffer)
  }

  close(): void {
    this.#channel?.close()
  }

  #receive(message: Uint8Array): void {
    const decoder = decoding.createDecoder(message)
    const type = decoding.readVarUint(decoder)
    if (type === AWARENESS) {
      awarenessProtocol.applyAwarenessUpdate(this.awareness, decoding.readVarUint8Array(decoder), this)
      return
    }
    const reply = encoding.createEncoder()
    encoding.writeVarUint(reply, SYNC)
    syncProtocol.readSyncMessage(decoder, reply, this.doc, this)
    if (encoding.length(reply) > 1) this.post(encoding.toUint8Array(reply) as Uint8Array<ArrayBuffer>)
  }
}
