/**
 * What is saved, and what is not. A local version is the number of local edits so far; the server echoes the newest
 * version that is on disk. Until the first echo nothing is known: the copy may hold edits from before.
 */
export class Account {
  #version = 0
  #saved = 0
  #confirmed = false

  /** Local edits so far: what the next status message asks about. */
  get version(): number {
    return this.#version
  }

  /** Local edits of this session that are not known to be on disk. */
  get unsaved(): number {
    return this.#version - this.#saved
  }

  /** True only if the server has said so. */
  get isSaved(): boolean {
    return this.#confirmed && this.unsaved === 0
  }

  edit(): void {
    this.#version += 1
  }

  /** The server's echo; an older one is only a sign of life. True if it told something new. */
  confirm(version: number): boolean {
    if (version > this.#version || (this.#confirmed && version <= this.#saved)) return false
    this.#confirmed = true
    this.#saved = Math.max(this.#saved, version)
    return true
  }

  /** Something was refused: what is not confirmed now will not be. */
  doubt(): void {
    this.#confirmed = false
  }
}
