import type { ConsoleView, NodeView, Refused, RoomLine } from './api'

/** What was seen at one moment (`at`, milliseconds), and what a moment before: rates lie between. */
export class Look {
  constructor(
    readonly view: ConsoleView,
    readonly at: number,
    readonly before: Look | undefined,
  ) {}

  /** The node that answered first. */
  get nodes(): NodeView[] {
    return [this.view, ...this.view.others]
  }

  get several(): boolean {
    return this.view.others.length + this.view.silent.length > 0
  }

  sum(name: string): number {
    return this.nodes.reduce((sum, { figures }) => sum + (figures[name] ?? 0), 0)
  }

  worst(name: string): number {
    return Math.max(0, ...this.nodes.map(({ figures }) => figures[name] ?? 0))
  }

  /** A second, of one node; 0 for one that was not seen before. */
  rate(node: NodeView, name: string): number {
    const old = this.before?.nodes.find((other) => other.node === node.node)
    if (!old) return 0
    return Math.max(0, ((node.figures[name] ?? 0) - (old.figures[name] ?? 0)) / ((this.at - this.before!.at) / 1000))
  }

  rates(name: string): number {
    return this.nodes.reduce((sum, node) => sum + this.rate(node, name), 0)
  }

  /** Of all nodes, the busiest first. */
  get rooms(): (RoomLine & { node: string })[] {
    const all = this.nodes.flatMap(({ node, rooms }) => rooms.map((room) => ({ ...room, node })))
    return this.several ? all.sort((a, b) => b.sockets - a.sockets || a.document.localeCompare(b.document)) : all
  }

  get roomsOpen(): number {
    return this.nodes.reduce((sum, node) => sum + node.rooms_open, 0)
  }

  /** The most frequent first. */
  get refusals(): Refused[] {
    const found = new Map<string, Refused>()
    for (const { where, code, count } of this.nodes.flatMap((node) => node.refusals)) {
      const name = `${where} ${code}`
      found.set(name, { where, code, count: count + (found.get(name)?.count ?? 0) })
    }
    return [...found.values()].sort((a, b) => b.count - a.count)
  }

  get state(): [kind: string, text: string] {
    if (this.nodes.some((node) => !node.figures['journal_healthy'])) return ['bad', 'Storage trouble']
    const draining = this.nodes.filter((node) => node.draining).length
    if (draining > 0) return ['warn', this.several ? `${draining} draining` : 'Draining']
    return this.view.silent.length > 0 ? ['warn', 'A node is silent'] : ['good', 'Healthy']
  }
}

export const behind = (rooms: readonly RoomLine[]): number => rooms.reduce((sum, room) => sum + room.behind, 0)
export const resident = (rooms: readonly RoomLine[]): number => rooms.reduce((sum, room) => sum + room.bytes, 0)
