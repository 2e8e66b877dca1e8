// Real y-websocket clients, driven line by line: one JSON command in on stdin, one JSON answer out on stdout.
// Commands are {"do": name, "who": client, ...}; see `commands` below. Waiting is done here, on events, with a deadline.
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import WebSocket from 'ws'
import * as Y from 'yjs'

const providers = {
  1: (await import('y-websocket-1')).WebsocketProvider,
  2: (await import('y-websocket-2')).WebsocketProvider,
  3: (await import('y-websocket-3')).WebsocketProvider
}
const people = new Map()

// A browser only logs what a message handler throws; with `ws` it would end the process and hide who was to blame.
const countingSocket = (notes) => class extends WebSocket {
  constructor (url, protocols) {
    super(url, protocols)
    notes.sockets.push(this)
    notes.urls.push(String(url))
    this.addEventListener('message', () => { notes.received++ })
    this.addEventListener('close', (event) => notes.closes.push(event.code))
  }

  set onmessage (handler) {
    super.onmessage = (event) => { try { handler(event) } catch (error) { notes.errors.push(String(error)) } }
  }

  get onmessage () { return super.onmessage }
}

const until = (person, holds, seconds) => new Promise((resolve, reject) => {
  const began = Date.now()
  const stop = () => { clearTimeout(deadline); person.waiting.delete(look) }
  const look = () => { if (holds()) { stop(); resolve({ ms: Date.now() - began }) } }
  const deadline = setTimeout(() => {
    stop()
    reject(new Error(`not within ${seconds} s; text is ${JSON.stringify(person.text.toString())}, ` +
      `people are ${JSON.stringify([...person.provider.awareness.getStates()])}, closes ${person.notes.closes}, ` +
      `errors ${person.notes.errors}`))
  }, seconds * 1000)
  person.waiting.add(look)
  look()
})

const commands = {
  // Connects a client: {version, url, room, params?, protocols?, state?, id?} (state null: no presence at all;
  // id: the CRDT client id of another one; renews: false: its presence is not told again every 15 s, so that what
  // others see of it came of the server's own rules)
  connect ({ who, version, url, room, params, protocols, state, id, renews }) {
    const doc = new Y.Doc()
    if (id !== undefined) doc.clientID = id
    const notes = { sockets: [], urls: [], closes: [], errors: [], received: 0 }
    const provider = new providers[version](url, room, doc, {
      WebSocketPolyfill: countingSocket(notes), disableBc: true, params: params ?? {}, protocols: protocols ?? []
    })
    const person = { doc, provider, notes, text: doc.getText('text'), waiting: new Set() }
    if (renews === false) clearInterval(provider.awareness._checkInterval)
    const look = () => { for (const waiter of [...person.waiting]) waiter() }
    doc.on('afterTransaction', look)
    provider.awareness.on('change', look)
    provider.on('sync', look)
    provider.on('status', look)
    if (state !== undefined) provider.awareness.setLocalState(state)
    people.set(who, person)
    return { id: doc.clientID }
  },
  synced: ({ person, seconds }) => until(person, () => person.provider.synced, seconds),
  insert ({ person, at, text }) { person.text.insert(at, text) },
  delete ({ person, at, length }) { person.text.delete(at, length) },
  format ({ person, at, length, attributes }) { person.text.format(at, length, attributes) },
  put ({ person, map, key, value }) { person.doc.getMap(map).set(key, value) },
  look: ({ person, map }) => ({
    text: person.text.toString(), delta: person.text.toDelta(), map: map ? person.doc.getMap(map).toJSON() : null
  }),
  // sha256 of the text and the map's keys, as other languages make it of the same JSON
  digest: ({ person, map }) => ({
    digest: createHash('sha256')
      .update(JSON.stringify([person.text.toString(), [...person.doc.getMap(map).keys()].sort()])).digest('hex')
  }),
  reads: ({ person, text, seconds }) => until(person, () => person.text.toString() === text, seconds),
  holds: ({ person, map, key, value, seconds }) =>
    until(person, () => person.doc.getMap(map).get(key) === value, seconds),
  announce ({ person, state }) { person.provider.awareness.setLocalState(state) },
  // Waits until `who` sees client `id` with this state (null: does not see it)
  sees: ({ person, id, state, seconds }) => until(person, () => {
    const seen = person.provider.awareness.getStates().get(id)
    return JSON.stringify(seen ?? null) === JSON.stringify(state)
  }, seconds),
  // Waits until the server has closed one of the client's sockets with this code
  closed: ({ person, code, seconds }) => until(person, () => person.notes.closes.includes(code), seconds),
  disconnect ({ person }) { person.provider.disconnect() },
  reconnect ({ person }) { person.provider.connect() },
  // The network fails: no goodbye, and the client comes back by itself
  cut ({ person }) { person.notes.sockets.at(-1).terminate() },
  notes: ({ person }) => ({
    connections: person.notes.sockets.length,
    closes: person.notes.closes,
    errors: person.notes.errors,
    received: person.notes.received,
    urls: person.notes.urls,
    protocol: person.notes.sockets.at(-1)?.protocol ?? null,
    connected: person.provider.wsconnected
  }),
  idle: ({ seconds }) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  try {
    const answer = await commands[command.do]({ ...command, person: people.get(command.who) })
    process.stdout.write(JSON.stringify({ ok: answer ?? {} }) + '\n')
  } catch (error) {
    process.stdout.write(JSON.stringify({ error: String(error) }) + '\n')
  }
}
process.exit(0)
