// Asks the signing agent on this machine to have a token sign the server's text (src/verifiers/certificate/README.md),
// and sends what it gives as the form it stands in. A vendor's middleware that speaks otherwise has a script like this
// one beside it, or an agent before it.
{
  const patience = 180_000

  /** What the agent gave, or `{ error }`: its own word, or `agent` where none answered. */
  const signed = async (agent, text) => {
    try {
      const answer = await fetch(`${agent}/sign`, {
        method: 'POST',
        mode: 'cors',
        credentials: 'omit',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text }),
        signal: AbortSignal.timeout(patience),
      })
      const given = await answer.json()
      return answer.ok ? given : { error: String(given.error) }
    } catch (error) {
      return { error: error.name === 'TypeError' ? 'agent' : 'failed' }
    }
  }

  const send = (form, challenge, answer) => {
    const { elements } = form
    elements.challenge.value = challenge
    elements.answer.value = answer
    form.submit()
  }

  for (const form of document.querySelectorAll('form[data-device=certificate]')) {
    const status = form.querySelector('[role=status]')
    const button = form.querySelector('button')
    const words = {
      agent: status.dataset.agent,
      'no-token': status.dataset.noToken,
      cancelled: status.dataset.cancelled,
    }

    const say = (text, kind = 'fault') => {
      status.className = kind
      status.textContent = text
    }

    // Pressed before this script was there, the form would go off empty.
    button.disabled = false
    for (const said of document.querySelectorAll('[data-until-ready]')) said.hidden = true

    form.addEventListener('submit', async (event) => {
      event.preventDefault()
      if (button.getAttribute('aria-disabled') === 'true') return
      button.setAttribute('aria-disabled', 'true')
      say(status.dataset.waiting, 'hint')
      try {
        const begun = await fetch(form.dataset.options, { method: 'POST', credentials: 'same-origin' })
        const { challenge, show } = begun.ok ? await begun.json() : {}
        // The page that follows says why nothing began.
        if (!show) return send(form, '', '')
        const { error, certificate, chain, signature, format } = await signed(show.agent, show.text)
        if (error) say(words[error] ?? status.dataset.failed)
        else send(form, challenge, JSON.stringify({ text: show.text, certificate, chain, signature, format }))
      } catch {
        say(status.dataset.failed)
      } finally {
        button.removeAttribute('aria-disabled')
      }
    })
  }
}
