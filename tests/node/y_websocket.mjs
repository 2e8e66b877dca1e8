// Real clients (y-websocket, Hocuspocus, y-sweet), driven line by line: one JSON command in on stdin, one JSON answer out on stdout.
// Commands are {"do": name, "who": client, ...}; see `commands` below. Waiting is done here, on events, with a deadline.
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import WebSocket from 'ws'
import * as Y from 'yjs'

const people = new Map()
const sockets = new Map() // those that several Hocuspocus providers share, by name

const websocket = (name) => async ({ url, room, doc, Socket, params, protocols }) => {
  const { WebsocketProvider } = await import(name)
  return new WebsocketProvider(url, room, doc, {
    WebSocketPolyfill: Socket, disableBc: true, params: params ?? {}, protocols: protocols ?? []
  })
}

// token: a string, or a list of which each call of the token function gives the next one; socket: name of a shared one
const hocuspocus = (name) => async ({ url, room, doc, Socket, token, socket, notes, options }) => {
  const { HocuspocusProvider, HocuspocusProviderWebsocket } = await import(name)
  const shared = socket === undefined
    ? new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: Socket })
    : sockets.get(socket) ?? sockets.set(socket, new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: Socket })).get(socket)
  const tokens = Array.isArray(token) ? [...token] : undefined
  const provider = new HocuspocusProvider({
    websocketProvider: shared,
    name: room,
    document: doc,
    broadcast: false,
    quiet: true,
    token: tokens ? () => { notes.tokens++; return tokens.length > 1 ? tokens.shift() : tokens[0] } : token ?? null,
    onAuthenticated: (told) => notes.scopes.push(told?.scope ?? provider.authorizedScope),
    onAuthenticationFailed: ({ reason }) => notes.denials.push(reason),
    onStateless: ({ payload }) => notes.stateless.push(payload),
    ...options
  })
  if (provider.attach) provider.attach()
  provider.offline = () => provider.attach ? shared.disconnect() : provider.disconnect()
  provider.online = () => provider.attach ? shared.connect() : provider.connect()
  return provider
}

// token: what the backend's endpoint answers, or a list of answers
const ySweet = async ({ room, doc, Socket, token, notes }) => {
  const { createYjsProvider } = await import('@y-sweet/client')
  const tokens = [token].flat()
  const provider = createYjsProvider(doc, room, async () => {
    notes.tokens++
    return tokens.length > 1 ? tokens.shift() : tokens[0]
  }, { WebSocketPolyfill: Socket, showDebuggerLink: false })
  provider.tokens = tokens
  return provider
}

const makers = {
  1: websocket('y-websocket-1'),
  2: websocket('y-websocket-2'),
  3: websocket('y-websocket-3'),
  'hocuspocus-2': hocuspocus('hocuspocus-provider-2'),
  'hocuspocus-3': hocuspocus('hocuspocus-provider-3'),
  'hocuspocus-4': hocuspocus('hocuspocus-provider-4'),
  'y-sweet': ySweet
}

// A browser only logs what a message handler throws; with `ws` it would end the process and hide who was to blame.
const countingSocket = (notes) => class extends WebSocket {
  constructor (url, protocols) {
    super(url, protocols)
    this.on('error', () => {}) // providers stop listening before they give up a socket that is not open yet
    notes.sockets.push(this)
    notes.urls.push(String(url))
    this.addEventListener('message', () => { notes.received++ })
    this.addEventListener('close', (event) => notes.closes.push(event.code))
  }

  set onmessage (handler) {
    super.onmessage = (event) => { try { handler(event) } catch (error) { notes.errors.push(String(error)) } }
  }

  get onmessage () { return super.onmessage }

  addEventListener (name, handler, ...more) {
    const guarded = (event) => { try { handler(event) } catch (error) { notes.errors.push(String(error)) } }
    handler.guarded = guarded
    super.addEventListener(name, guarded, ...more)
  }

  removeEventListener (name, handler, ...more) {
    super.removeEventListener(name, handler.guarded ?? handler, ...more)
  }
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
  // Connects a client: {version, url, room, params?, protocols?, token?, socket?, options?, state?, id?} (state null: no
  // presence at all; id: the CRDT client id of another one; renews: false: its presence is not told again every 15 s, so
  // that what others see of it came of the server's own rules)
  async connect ({ who, version, url, room, state, id, renews, ...more }) {
    const doc = new Y.Doc()
    if (id !== undefined) doc.clientID = id
    const notes = {
      sockets: [], urls: [], closes: [], errors: [], received: 0, tokens: 0, scopes: [], denials: [], stateless: []
    }
    const provider = await makers[version]({ url, room, doc, Socket: countingSocket(notes), notes, ...more })
    const person = { doc, provider, notes, text: doc.getText('text'), waiting: new Set() }
    if (renews === false) clearInterval(provider.awareness._checkInterval)
    const look = () => queueMicrotask(() => { for (const waiter of [...person.waiting]) waiter() })
    doc.on('afterTransaction', look)
    provider.awareness.on('change', look)
    provider.on('sync', look)
    for (const event of ['status', 'unsyncedChanges', 'authenticated', 'authenticationFailed', 'stateless',
      'local-changes', 'connection-status']) provider.on(event, look)
    if (state !== undefined) provider.awareness.setLocalState(state)
    people.set(who, person)
    return { id: doc.clientID }
  },
  // Waits until the client says that all of its edits are saved
  saved: ({ person, seconds }) => until(person, () => person.provider.unsyncedChanges === 0 ||
    person.provider.hasLocalChanges === false, seconds),
  unsaved: ({ person }) => ({ count: person.provider.unsyncedChanges ?? null, local: person.provider.hasLocalChanges }),
  // Waits until the server has refused its token
  denied: ({ person, seconds }) => until(person, () => person.notes.denials.length > 0, seconds),
  // Waits until it was told this scope last
  scoped: ({ person, scope, seconds }) => until(person, () => person.notes.scopes.at(-1) === scope, seconds),
  stateless ({ person, payload }) { person.provider.sendStateless(payload) },
  forceSync ({ person }) { person.provider.forceSync() },
  // What the endpoint of a y-sweet client answers from now on
  token ({ person, token }) { person.provider.tokens.splice(0, Infinity, token) },
  // Waits until so many of its sockets have failed
  refused: ({ person, times, seconds }) => until(person, () => person.notes.closes.length >= times, seconds),
  destroy ({ person }) { person.provider.destroy() },
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
  disconnect ({ person }) { (person.provider.offline ?? person.provider.disconnect).call(person.provider) },
  reconnect ({ person }) { (person.provider.online ?? person.provider.connect).call(person.provider) },
  // The network fails: no goodbye, and the client comes back by itself
  cut ({ person }) { person.notes.sockets.at(-1).terminate() },
  notes: ({ person }) => ({
    connections: person.notes.sockets.length,
    closes: person.notes.closes,
    errors: person.notes.errors,
    received: person.notes.received,
    tokens: person.notes.tokens,
    scopes: person.notes.scopes,
    denials: person.notes.denials,
    stateless: person.notes.stateless,
    urls: person.notes.urls,
    protocol: person.notes.sockets.at(-1)?.protocol ?? null,
    connected: person.provider.wsconnected ?? null
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
