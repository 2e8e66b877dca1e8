/** Frames of the plain Yjs dialect (y-protocols), y-sweet's status message, and the server's two additions. */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

export const SYNC = 0
export const AWARENESS = 1
export const AUTH = 2
export const QUERY_AWARENESS = 3
/** "Everything I sent before is on disk?": echoed once it is. */
export const STATUS = 102

export const AUTH_DENIED = 0
export const AUTH_TOKEN = 1
export const AUTH_ACCESS = 2

/** How a notice of AUTH_DENIED begins that refuses nothing: the server only reads more slowly. */
export const SLOWED = 'slowed down'

/** A frame of this type; `write` fills in what follows. */
export function frame(type: number, write: (encoder: encoding.Encoder) => void): Uint8Array<ArrayBuffer> {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, type)
  write(encoder)
  return encoding.toUint8Array(encoder) as Uint8Array<ArrayBuffer>
}

/** Asks whether everything up to this local version is saved. */
export function statusFrame(version: number): Uint8Array<ArrayBuffer> {
  const payload = encoding.encode((encoder) => encoding.writeVarUint(encoder, version))
  return frame(STATUS, (encoder) => encoding.writeVarUint8Array(encoder, payload))
}

/** The local version that an echo confirms. */
export function readStatus(decoder: decoding.Decoder): number {
  return decoding.readVarUint(decoding.createDecoder(decoding.readVarUint8Array(decoder)))
}

/** Presents a fresh ticket on the open socket. */
export function tokenFrame(ticket: string): Uint8Array<ArrayBuffer> {
  return frame(AUTH, (encoder) => {
    encoding.writeVarUint(encoder, AUTH_TOKEN)
    encoding.writeVarString(encoder, ticket)
  })
}
