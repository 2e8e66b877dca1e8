export function Page(_: { id: string }) { return <main class="page"><h1>soon</h1></main> }
