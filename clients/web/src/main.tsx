import { render } from 'preact'
import './style.css'
import { addressOf } from './address'
import { recall } from './session'

const pages = {
  documents: () => import('./documents/page'),
  editor: () => import('./editor/page'),
  contrast: () => import('./contrast/page'),
  console: () => import('./console/page'),
}

const { page, document: id } = addressOf(location)
recall(id)
const app = document.getElementById('app')!
const { Page } = await pages[page]()
render(<Page id={id} />, app)
// After the page, so that it takes nothing from it; where there is none (http on another host) only reloading offline fails.
if (import.meta.env.PROD) void navigator.serviceWorker?.register('/worker.js').catch(() => {})
