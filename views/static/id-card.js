// Has the terminal's agent read a card (it answers on the loopback), and sends what it signed as the form it stands in.
// Until the card is taken off the reader the page waits, so that it is not left behind.
{
  const form = document.querySelector('form[data-device=id-card]')
  const progress = document.querySelector('[data-progress]')
  const fault = form.querySelector('[role=status]')
  const button = form.querySelector('button')
  const words = {}
  for (const { dataset, content } of document.querySelectorAll('template[data-say]'))
    words[dataset.say] = content.textContent

  // The agent itself waits for a card for half a minute.
  const answerMs = 45_000
  const takeMs = 10_000
  const pause = (ms) => new Promise((done) => setTimeout(done, ms))

  const begin = async () => {
    const answer = await fetch(form.dataset.options, { method: 'POST', credentials: 'same-origin' })
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

  const taken = async (agent) => {
    for (const until = Date.now() + takeMs; Date.now() < until; await pause(400)) {
      const answer = await fetch(`${agent}/state`, { credentials: 'omit', signal: AbortSignal.timeout(2_000) })
      if (!answer.ok || !(await answer.json()).card) return
    }
  }

  /** @returns the word for what went wrong, or nothing where the form is on its way */
  const read = async () => {
    const { challenge, show } = await begin()
    if (!show) return send('', '')
    progress.textContent = words.put
    const { nonce, attempt, agent } = show
    let answer
    try {
      answer = await ask(agent, { nonce, attempt })
    } catch {
      return 'unreachable'
    }
    const { reading, error } = await answer.json().catch(() => ({}))
    if (!answer.ok || typeof reading !== 'string') return error in words ? error : 'not-ready'
    progress.textContent = words.take
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
    let wrong
    try {
      wrong = await read()
    } catch {
      wrong = 'failed'
    }
    if (!wrong) return
    progress.textContent = ''
    fault.textContent = words[wrong] ?? fault.dataset.failed
    button.removeAttribute('aria-disabled')
    busy = false
  })
}
