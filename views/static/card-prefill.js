// Asks a vendor's card reader program on the loopback, has its answer read, and fills in the field of this page. It is
// looked at and sent by hand. Photos stay on this computer.
{
  const part = document.querySelector('[data-card-prefill]')
  const field = document.getElementById(part.dataset.cardPrefill)
  const status = part.querySelector('[role=status]')
  const button = part.querySelector('button')
  const { origin, asks } = JSON.parse(part.dataset.vendor)
  part.hidden = false

  const withoutImages = (text) => text.replace(/"[^"]{400,}"/g, '""')

  const answerOfCard = async () => {
    let answer = ''
    for (const { method, path, reads } of asks) {
      const said = await fetch(origin + path, { method, credentials: 'omit', signal: AbortSignal.timeout(15_000) })
      const text = await said.text()
      if (reads) answer = withoutImages(text)
    }
    return answer
  }

  const fill = async () => {
    const body = new URLSearchParams({ answer: await answerOfCard() })
    const read = await fetch(part.dataset.read, { method: 'POST', credentials: 'same-origin', body })
    const value = read.ok && (await read.json())[field.name]
    if (!value) throw new Error('nothing was read')
    field.value = value
    // As if it had been typed: numbers are grouped then.
    field.dispatchEvent(new Event('input', { bubbles: true }))
    field.focus()
  }

  button.addEventListener('click', async () => {
    status.textContent = ''
    button.setAttribute('aria-disabled', 'true')
    try {
      await fill()
      status.textContent = status.dataset.filled
    } catch {
      status.textContent = status.dataset.failed
    }
    button.removeAttribute('aria-disabled')
  })
}
