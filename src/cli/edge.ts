/** What a command sees of its process, so that a test can stand in for it. */

export interface Edge {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (line: string) => void
  readonly err: (line: string) => void
}

/** What is wrong with how a command was called; the message is all that is to be said. */
export class UsageError extends Error {}

/** Runs a command on this process; its answer is the exit code. */
export async function runHere(run: (args: readonly string[], edge: Edge) => Promise<number>): Promise<void> {
  // A reader that has seen enough (`| head`) is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  const line = (stream: NodeJS.WriteStream) => (text: string) => void stream.write(`${text}\n`)
  const edge = { env: process.env, out: line(process.stdout), err: line(process.stderr) }
  process.exitCode = await run(process.argv.slice(2), edge)
}
