import type { Extensions } from '@tiptap/core'
import Collaboration from '@tiptap/extension-collaboration'
import CollaborationCaret from '@tiptap/extension-collaboration-caret'
import { TaskItem, TaskList } from '@tiptap/extension-list'
import { Placeholder } from '@tiptap/extensions'
import StarterKit from '@tiptap/starter-kit'
import type { Doc } from 'yjs'
import { me } from '../session'
import { colorOf, nameOf } from '../ui/people'
import { FIELD, type LiveDocument } from './live'

/** What a document may hold here. */
export function schemaExtensions(): Extensions {
  return [
    // Undo is the collaboration's, so that it takes back one's own edits only; a trailing node would be added by everybody.
    StarterKit.configure({ undoRedo: false, trailingNode: false, link: { openOnClick: 'whenNotEditable', defaultProtocol: 'https' } }),
    TaskList,
    TaskItem.configure({ nested: true }),
  ]
}

/** Of a document that is only looked at. */
export function stillExtensions(doc: Doc): Extensions {
  return [...schemaExtensions(), Collaboration.configure({ document: doc, field: FIELD })]
}

/** Of the live document. */
export function liveExtensions({ doc, provider }: LiveDocument): Extensions {
  return [
    ...schemaExtensions(),
    Collaboration.configure({ document: doc, field: FIELD }),
    CollaborationCaret.configure({
      provider,
      user: { name: me.value.name, color: me.value.color },
      render: caret,
      selectionRender: (user) => ({ class: 'selection', style: `background-color: ${colorOf(user['color'])}40` }),
    }),
    Placeholder.configure({ placeholder: 'Write something. “# ” makes a heading, “- ” a list, “[] ” a task.' }),
  ]
}

function caret(user: Record<string, unknown>): HTMLElement {
  const mark = document.createElement('span')
  const label = document.createElement('span')
  mark.className = 'caret'
  mark.style.setProperty('--color', colorOf(user['color']))
  label.className = 'caret-name'
  label.textContent = nameOf(user['name'])
  mark.append(label)
  return mark
}
