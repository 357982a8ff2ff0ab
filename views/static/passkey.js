// Asks this device to sign in or to make a passkey (WebAuthn §5.1), and sends its answer as the form it stands in. What
// needs it is hidden until it is known that the device can; all other pages work without.
{
  const toBytes = (text) => {
    const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'))
    return Uint8Array.from(binary, (letter) => letter.charCodeAt(0))
  }
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, '-')
      .replace(/\//g, '_')
      .replace(/=+$/, '')
  const named = (list = []) => list.map((one) => ({ ...one, id: toBytes(one.id) }))

  const asked = (options) => ({
    ...options,
    challenge: toBytes(options.challenge),
    ...(options.user ? { user: { ...options.user, id: toBytes(options.user.id) } } : {}),
    ...(options.excludeCredentials ? { excludeCredentials: named(options.excludeCredentials) } : {}),
    ...(options.allowCredentials ? { allowCredentials: named(options.allowCredentials) } : {}),
  })

  const answered = ({ id, rawId, type, response }) => {
    const parts = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']
    const given = parts.filter((part) => response[part]).map((part) => [part, toText(response[part])])
    const transports = response.getTransports ? { transports: response.getTransports() } : {}
    return JSON.stringify({ id, rawId: toText(rawId), type, response: { ...Object.fromEntries(given), ...transports } })
  }

  const begin = async (form) => {
    const answer = await fetch(form.dataset.options, { method: 'POST', credentials: 'same-origin' })
    return answer.ok ? answer.json() : {}
  }

  /** Sends what the device said, or that it could not be asked: the page that follows says why. */
  const send = (form, challenge, answer) => {
    const { elements } = form
    elements.challenge.value = challenge
    elements.answer.value = answer
    const ticked = document.querySelector('#public-computer:checked')
    if (elements['public-computer']) elements['public-computer'].value = ticked ? 'on' : ''
    form.submit()
  }

  const start = (form) => {
    const creates = form.dataset.passkey === 'create'
    const status = form.querySelector('[role=status]')
    let waiting
    let pressed = false

    const ask = async (more = {}) => {
      waiting?.abort()
      const mine = (waiting = new AbortController())
      const { challenge, show } = await begin(form)
      if (mine.signal.aborted) return
      if (!show) return more.mediation ? undefined : send(form, '', '')
      const request = { publicKey: asked(show.options), signal: mine.signal, ...more }
      const credential = await navigator.credentials[creates ? 'create' : 'get'](request)
      if (credential && !mine.signal.aborted) send(form, challenge, answered(credential))
    }

    form.addEventListener('submit', async (event) => {
      event.preventDefault()
      status.textContent = ''
      pressed = true
      try {
        await ask()
      } catch (error) {
        // Pressed twice: the second press goes on.
        if (error.name === 'AbortError') return
        pressed = false
        const known = error.name === 'InvalidStateError' ? status.dataset.known : undefined
        status.textContent = known ?? status.dataset.failed
        offer()
      }
    })

    // In the field itself, beside what the browser fills in (WebAuthn §5.1.4, conditional mediation). A challenge lives
    // for minutes and a page for as long as it likes, so it is asked for anew in time.
    const offer = async () => {
      const able = PublicKeyCredential.isConditionalMediationAvailable
      if (creates || !document.querySelector('input[autocomplete~=webauthn]') || !able) return
      if (!(await able.call(PublicKeyCredential))) return
      ask({ mediation: 'conditional' }).catch(() => {})
    }
    const renew = Number(form.dataset.renew) * 1000
    if (renew) setInterval(() => pressed || offer(), renew)
    offer()
  }

  const able = window.PublicKeyCredential && navigator.credentials
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    for (const part of document.querySelectorAll('[data-with-passkey]')) part.hidden = !able
    for (const part of document.querySelectorAll('[data-without-passkey]')) part.hidden = Boolean(able)
    if (able) start(form)
  }
}
