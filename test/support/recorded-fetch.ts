/** Records what goes over the wire while a story is told: each request of this process's `fetch`, and its answer. */

export interface Exchange {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly location: string | undefined
  readonly cookies: readonly string[]
  readonly text: string
}

export interface Recording {
  readonly exchanges: readonly Exchange[]
  stop(): void
}

export function recordFetch(): Recording {
  const original = globalThis.fetch
  const exchanges: Exchange[] = []
  globalThis.fetch = async (input, init) => {
    const answer = await original(input, init)
    exchanges.push({
      method: init?.method ?? 'GET',
      url: input instanceof Request ? input.url : String(input),
      status: answer.status,
      location: answer.headers.get('location') ?? undefined,
      cookies: answer.headers.getSetCookie(),
      text: await answer.clone().text(),
    })
    return answer
  }
  return { exchanges, stop: () => void (globalThis.fetch = original) }
}
