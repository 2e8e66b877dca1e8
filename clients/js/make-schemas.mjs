// Writes src/schemas.ts from a server's OpenAPI: node make-schemas.mjs http://127.0.0.1:8000 (or a file) > src/schemas.ts
import { readFile } from 'node:fs/promises'

const [source = 'http://127.0.0.1:8000'] = process.argv.slice(2)
const text = source.startsWith('http') ? await (await fetch(`${source}/api/openapi.json`)).text() : await readFile(source, 'utf8')
const { schemas } = JSON.parse(text).components

const nameOf = (name) => name.replace(/^collab__api__(\w+?)__/, (_, place) => place[0].toUpperCase() + place.slice(1)).replace(/-(Input|Output)$/, '')

function typeOf(schema) {
  if (schema.$ref) return nameOf(schema.$ref.split('/').pop())
  if ('const' in schema) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  const union = schema.anyOf ?? schema.oneOf
  if (union) return [...new Set(union.map(typeOf))].join(' | ')
  if (schema.allOf) return schema.allOf.map(typeOf).join(' & ')
  if (schema.type === 'array') return `Array<${typeOf(schema.items ?? {})}>`
  if (schema.type === 'object') return schema.properties ? objectOf(schema) : `Record<string, ${typeOf(values(schema))}>`
  return { string: 'string', integer: 'number', number: 'number', boolean: 'boolean', null: 'null' }[schema.type] ?? 'unknown'
}

const values = ({ additionalProperties: inside }) => (typeof inside === 'object' ? inside : {})

function objectOf({ properties, required = [] }, indent = '') {
  const lines = Object.entries(properties).map(([name, schema]) => {
    const said = schema.description ? `${indent}  /** ${schema.description.replaceAll('*/', '').replace(/\s+/g, ' ')} */\n` : ''
    return `${said}${indent}  ${JSON.stringify(name).slice(1, -1)}${required.includes(name) ? '' : '?'}: ${typeOf(schema)}`
  })
  return `{\n${lines.join('\n')}\n${indent}}`
}

const made = Object.entries(schemas).map(([name, schema]) => {
  const said = schema.description ? `/** ${schema.description.replaceAll('*/', '').replace(/\s+/g, ' ')} */\n` : ''
  return schema.properties ? `${said}export interface ${nameOf(name)} ${objectOf(schema)}` : `${said}export type ${nameOf(name)} = ${typeOf(schema)}`
})
console.log(`// Made by make-schemas.mjs from the server's OpenAPI; do not edit.\n\n${made.join('\n\n')}`)
