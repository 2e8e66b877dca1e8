import { render } from 'preact'
import './style.css'
import { addressOf } from './address'
import { recall } from './session'

/** The page is from before an update of the server, and its files are gone; or the network went in between. */
function Unloaded() {
  return (
    <main class="page">
      <div class="card empty" role="alert">
        <h1>This page could not be loaded</h1>
        <p>The server may just have been updated, or the network is away. What you typed is kept on this device.</p>
        <button class="button primary" onClick={() => location.reload()}>Reload</button>
      </div>
    </main>
  )
}

const pages = {
  documents: () => import('./documents/page'),
  editor: () => import('./editor/page'),
  contrast: () => import('./contrast/page'),
  console: () => import('./console/page'),
}

const { page, document: id } = addressOf(location)
recall(id)
const app = document.getElementById('app')!
const loaded = await pages[page]().catch(() => undefined)
render(loaded ? <loaded.Page id={id} /> : <Unloaded />, app)
// After the page, so that it takes nothing from it; where there is none (http on another host) only reloading offline fails.
if (import.meta.env.PROD) void navigator.serviceWorker?.register('/worker.js').catch(() => {})
