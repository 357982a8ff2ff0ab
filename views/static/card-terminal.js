// What the pages over a card terminal share. The terminal's agent, which answers on the loopback, reads a card, and what
// it signed is sent as the form it stands in. Until the card is taken off the reader the page waits, so that it is not
// left behind.

/** @param form the form that is sent; @param own what a page does beside the card */
const cardTerminal = (form, own = {}) => {
  const progress = document.querySelector('[data-progress]')
  const fault = form.querySelector('[role=status]')
  const button = form.querySelector('[data-begin]')
  const words = {}
  for (const { dataset, content } of document.querySelectorAll('template[data-say]'))
    words[dataset.say] = content.textContent

  // The agent itself waits for a card for half a minute.
  const answerMs = 45_000 + (own.extraMs ?? 0)
  const takeMs = 10_000
  const pause = (ms) => new Promise((done) => setTimeout(done, ms))

  /** Heard only where it changes. */
  const say = (word) => {
    if (progress.dataset.word === word) return
    progress.dataset.word = word
    progress.textContent = words[word]
  }

  const begin = async () => {
    const { consent } = form.elements
    const body = new URLSearchParams(consent ? { consent: consent.value } : {})
    const answer = await fetch(form.dataset.options, { method: 'POST', credentials: 'same-origin', body })
    return answer.ok ? answer.json() : {}
  }

  const send = (challenge, answer) => {
    form.elements.challenge.value = challenge
    form.elements.answer.value = answer
    form.submit()
  }

  const ask = (agent, question) =>
    fetch(`${agent}/reading`, {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(question),
      signal: AbortSignal.timeout(answerMs),
    })

  /** What the agent says of itself; nothing where it does not answer. */
  const stateOf = async (agent) => {
    const answer = await fetch(`${agent}/state`, { credentials: 'omit', signal: AbortSignal.timeout(2_000) })
    return answer.ok ? answer.json() : undefined
  }

  const taken = async (agent) => {
    for (const until = Date.now() + takeMs; Date.now() < until; await pause(400))
      if (!(await stateOf(agent))?.card) return
  }

  /** @returns the word for what went wrong, or nothing where the form is on its way */
  const read = async () => {
    const { challenge, show, code } = await begin()
    // The page that follows says why nothing began.
    if (code === 'consent_missing') return location.reload()
    if (!show) return send('', '')
    say('put')
    const { nonce, attempt, agent } = show
    const meanwhile = own.meanwhile?.({ state: () => stateOf(agent).catch(() => undefined), agent, say, pause })
    let answer
    try {
      answer = await ask(agent, { nonce, attempt, ...own.asks?.(show) })
    } catch {
      return 'unreachable'
    } finally {
      meanwhile?.end()
    }
    const { reading, error } = await answer.json().catch(() => ({}))
    if (!answer.ok || typeof reading !== 'string') return error in words ? error : 'not-ready'
    say('take')
    await taken(agent).catch(() => {})
    send(challenge, reading)
  }

  // Pressed before this script was there, the form would go off empty.
  button.disabled = false
  for (const said of document.querySelectorAll('[data-until-ready]')) said.hidden = true

  let busy = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (busy) return
    busy = true
    // Not disabled: who came here by keyboard would lose his place.
    button.setAttribute('aria-disabled', 'true')
    fault.textContent = ''
    own.began?.(progress)
    let wrong
    try {
      wrong = await read()
    } catch {
      wrong = 'failed'
    }
    if (!wrong) return
    own.ended?.(button)
    progress.textContent = ''
    delete progress.dataset.word
    fault.textContent = words[wrong] ?? fault.dataset.failed
    button.removeAttribute('aria-disabled')
    busy = false
  })
}
