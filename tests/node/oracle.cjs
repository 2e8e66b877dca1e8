// Real yjs as the oracle of the codec tests: JSON lines in, JSON lines out.
// A line is a list of [command, ...arguments]; the answer is the list of results. Bytes travel as base64.
'use strict'

const Y = require('yjs')
const { history } = require('./history.cjs')

BigInt.prototype.toJSON = function () { return { $bigint: String(this) } }
for (const level of ['log', 'warn', 'error', 'info']) {
  console[level] = (...words) => process.stderr.write(words.join(' ') + '\n')
}

// yjs tidies up formats by edits of its own when remote ones arrive. Documents marked `plain` do not, so that what
// they hold is what they were given.
const observe = Y.Text.prototype._callObserver
Y.Text.prototype._callObserver = function (transaction, keys) {
  const observer = transaction.doc.plain ? Y.AbstractType.prototype._callObserver : observe
  observer.call(this, transaction, keys)
}

const text = bytes => Buffer.from(bytes).toString('base64')
const bytes = written => new Uint8Array(Buffer.from(written, 'base64'))

function shown (value) {
  if (value instanceof Y.XmlElement) {
    return { tag: value.nodeName, attributes: sorted(value.getAttributes()), inside: value.toArray().map(shown) }
  }
  if (value instanceof Y.XmlFragment) return { inside: value.toArray().map(shown) }
  if (value instanceof Y.Text) {
    return { delta: value.toDelta().map(part => ({ ...part, insert: shown(part.insert) })), attributes: sorted(value.getAttributes()) }
  }
  if (value instanceof Y.Map) return { map: sorted(Object.fromEntries([...value.entries()].map(([k, v]) => [k, shown(v)]))) }
  if (value instanceof Y.Array) return { array: value.toArray().map(shown) }
  if (value instanceof Y.Doc) return { doc: value.guid }
  if (value instanceof Uint8Array) return { bytes: text(value) }
  if (value === undefined) return { undefined: true }
  return value
}

const sorted = entries => Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)))

function content (doc) {
  return JSON.stringify([doc.getText('t'), doc.getMap('m'), doc.getArray('a'), doc.getXmlFragment('x')].map(shown))
}

function plainDocument (updates) {
  const doc = new Y.Doc()
  doc.plain = true
  for (const update of updates) Y.applyUpdate(doc, bytes(update))
  return doc
}

const isPending = doc => doc.store.pendingStructs !== null || doc.store.pendingDs !== null

// Updates that came out of order can stay pending in yjs although nothing is missing any more, until the next update
// or the next load of the document. So what seems to be pending is loaded afresh.
function settledDocument (updates) {
  const doc = plainDocument(updates)
  return isPending(doc) ? plainDocument([text(Y.encodeStateAsUpdate(doc))]) : doc
}

// What a document holds once it has all these updates, one after the other.
function load (updates) {
  const doc = settledDocument(updates)
  const state = text(Y.encodeStateAsUpdate(doc))
  const pending = isPending(doc)
  return { state, pending, vector: text(Y.encodeStateVector(doc)), content: content(doc) }
}

const commands = {
  history: options => {
    const { updates, diffs } = history(options)
    return { updates: updates.map(text), diffs: diffs.map(text) }
  },
  load,
  vector: updates => text(Y.encodeStateVector(plainDocument(updates))),
  merge: updates => text(Y.mergeUpdates(updates.map(bytes))),
  diff: (update, vector) => text(Y.diffUpdate(bytes(update), bytes(vector))),
  apply: updates => { load(updates); return true }
}

function answer ([command, ...args]) {
  try {
    return commands[command](...args)
  } catch (problem) {
    return { error: String((problem && problem.stack) || problem).slice(0, 500) }
  }
}

require('readline').createInterface({ input: process.stdin, terminal: false }).on('line', line => {
  process.stdout.write(JSON.stringify(JSON.parse(line).map(answer)) + '\n')
})
