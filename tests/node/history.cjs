// Random editing histories of a few yjs peers over a network that loses, repeats and reorders.
'use strict'

const Y = require('yjs')

const PLAIN_WORDS = ['a', 'bc', 'def', 'hello ', '\n', 'ü', '漢字', 'x\u0000y', '']
// Characters of two UTF-16 units, of which random positions cut halves off.
const PAIRED_WORDS = ['a', 'bc', '😀', 'a😀b', '👩‍👩‍👧', '𝒳𝒴']
const KEYS = ['k', 'l', 'm']
const TAGS = ['p', 'h1', 'img']
const FORMATS = [{ bold: true }, { bold: null }, { link: { href: 'x"y' } }, { size: 1.5 }, { bold: true, color: 'red' }]

function random (seed) { // mulberry32
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = n => Math.floor(next() * n)
  return { next, below, chance: p => next() < p, pick: list => list[below(list.length)] }
}

function plainValue (rng) {
  const values = [null, true, 0, -0.5, 1e300, 'word', 'ü😀', 2 ** 40, 12345678901234567890n, undefined, [1, ['x', {}]], { a: { b: [null] } }, new Uint8Array([0, 255, 7])]
  return rng.pick(values)
}

function value (rng, depth) {
  if (depth > 2 || rng.chance(0.6)) return plainValue(rng)
  switch (rng.below(5)) {
    case 0: { const map = new Y.Map(); map.set(rng.pick(KEYS), value(rng, depth + 1)); return map }
    case 1: { const array = new Y.Array(); array.push([element(rng, depth + 1)]); return array }
    case 2: return new Y.Text(rng.pick(rng.words))
    case 3: return new Y.Doc({ guid: 'sub-' + rng.below(1000), meta: { n: rng.below(9) }, autoLoad: rng.chance(0.5) })
    default: return node(rng, depth)
  }
}

// What an array takes: neither undefined nor a bare bigint.
function element (rng, depth) {
  const made = value(rng, depth) ?? null
  return typeof made === 'bigint' ? [made] : made
}

function node (rng, depth) {
  if (rng.chance(0.4)) {
    const text = new Y.XmlText(rng.pick(rng.words))
    if (rng.chance(0.3)) text.applyDelta([{ insert: 'styled', attributes: rng.pick(FORMATS) }])
    return text
  }
  const made = new Y.XmlElement(rng.pick(TAGS))
  if (rng.chance(0.5)) made.setAttribute(rng.pick(KEYS), rng.pick(rng.words))
  if (depth < 3 && rng.chance(0.6)) made.insert(0, [node(rng, depth + 1), node(rng, depth + 1)])
  return made
}

function editText (rng, text) {
  const length = text.length
  const at = rng.below(length + 1)
  const roll = rng.next()
  if (roll < 0.5 || length === 0) text.insert(at, rng.pick(rng.words))
  else if (roll < 0.75) remove(rng, text, length)
  else if (roll < 0.9) text.format(Math.min(at, length - 1), 1 + rng.below(3), rng.pick(FORMATS))
  else text.insertEmbed(at, rng.chance(0.7) ? { image: 'u', n: rng.below(5) } : new Y.Map(), rng.chance(0.3) ? { bold: true } : {})
}

function remove (rng, list, length) {
  const at = rng.below(length)
  list.delete(at, Math.min(length - at, 1 + rng.below(4)))
}

function editMap (rng, map) {
  const key = rng.pick(KEYS)
  if (rng.chance(0.25)) map.delete(key)
  else map.set(key, value(rng, 0))
}

function editArray (rng, array) {
  if (array.length && rng.chance(0.35)) remove(rng, array, array.length)
  else array.insert(rng.below(array.length + 1), Array.from({ length: 1 + rng.below(3) }, () => element(rng, 0)))
}

function editXml (rng, fragment) {
  const roll = rng.next()
  if (fragment.length && roll < 0.3) remove(rng, fragment, fragment.length)
  else if (fragment instanceof Y.XmlElement && roll < 0.5) {
    if (rng.chance(0.3)) fragment.removeAttribute(rng.pick(KEYS))
    else fragment.setAttribute(rng.pick(KEYS), rng.pick(rng.words))
  } else fragment.insert(rng.below(fragment.length + 1), [node(rng, 1)])
}

// Goes down into nested types at random, then edits what it finds there.
function edit (rng, type) {
  const inside = (type instanceof Y.Map ? [...type.values()] : type.toArray ? type.toArray() : [])
    .filter(child => child instanceof Y.AbstractType)
  if (inside.length && rng.chance(0.6)) return edit(rng, rng.pick(inside))
  if (type instanceof Y.Text) editText(rng, type)
  else if (type instanceof Y.Map) editMap(rng, type)
  else if (type instanceof Y.Array) editArray(rng, type)
  else editXml(rng, type)
}

const ROOTS = {
  text: doc => doc.getText('t'),
  map: doc => doc.getMap('m'),
  array: doc => doc.getArray('a'),
  xml: doc => doc.getXmlFragment('x')
}

function makePeer (rng, number, features, log) {
  const doc = new Y.Doc({ gc: !rng.chance(0.1) })
  doc.clientID = (rng.chance(0.2) ? rng.below(100) : rng.below(2 ** 30)) * 4 + number // never the same twice
  const roots = features.map(name => ROOTS[name](doc))
  const undo = new Y.UndoManager(roots, { captureTimeout: 0, trackedOrigins: new Set(['edit']) })
  const peer = { doc, roots, undo, inbox: [], others: [] }
  doc.on('update', (update, origin) => {
    if (origin === 'network') return
    log.push(update)
    for (const other of peer.others) other.inbox.push(update)
  })
  return peer
}

function deliver (rng, peer, losses) {
  while (peer.inbox.length && rng.chance(0.8)) {
    const at = rng.chance(0.3) ? rng.below(peer.inbox.length) : 0
    const [update] = peer.inbox.splice(at, 1)
    if (rng.chance(losses)) continue
    if (rng.chance(0.1)) peer.inbox.push(update)
    Y.applyUpdate(peer.doc, update, 'network')
  }
}

function synchronise (from, to) {
  const diff = Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc))
  Y.applyUpdate(to.doc, diff, 'network')
  return diff
}

// Returns what the peers sent (`updates`), and some answers to state vectors (`diffs`).
function history ({ seed, steps, peers: count, features, losses, pairs }) {
  const rng = random(seed)
  rng.words = pairs ? PAIRED_WORDS : PLAIN_WORDS
  const updates = []
  const diffs = []
  const peers = Array.from({ length: count }, (_, number) => makePeer(rng, number, features, updates))
  for (const peer of peers) peer.others = peers.filter(other => other !== peer)
  for (let step = 0; step < steps; step++) {
    const peer = rng.pick(peers)
    const roll = rng.next()
    if (roll < 0.1) peer.undo.undo()
    else if (roll < 0.15) peer.undo.redo()
    else peer.doc.transact(() => { for (let i = 1 + rng.below(3); i > 0; i--) edit(rng, rng.pick(peer.roots)) }, 'edit')
    if (rng.chance(0.5)) deliver(rng, rng.pick(peers), losses)
    if (rng.chance(0.05)) diffs.push(synchronise(rng.pick(peers), rng.pick(peers)))
  }
  for (const from of peers) for (const to of peers) if (from !== to) diffs.push(synchronise(from, to))
  diffs.push(Y.encodeStateAsUpdate(rng.pick(peers).doc))
  return { updates, diffs }
}

module.exports = { history }
