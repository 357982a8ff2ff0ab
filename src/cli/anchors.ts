/** Reads checkpoints that were kept outside the server, for `audit verify` and `db restore` alike (DESIGN D11). */
import { readFileSync } from 'node:fs'
import { UsageError, type Edge } from './edge.ts'

const isCheckpoint = (line: string) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(line)

/**
 * The checkpoints of a file, one a line. What else stands there, such as the lines that npm prints before what a command
 * prints, is no anchor and no fault of the trail; how many such lines there were is said.
 * @throws UsageError where the file cannot be read or holds no checkpoint
 */
export function anchorsIn(file: string | undefined, edge: Pick<Edge, 'err'>): readonly string[] {
  if (file === undefined) return []
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`${file} cannot be read`, { cause })
  }
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  const anchors = lines.filter(isCheckpoint)
  if (anchors.length === 0) throw new UsageError(`${file} holds no checkpoint, as "audit -- checkpoint" prints them`)
  const ignored = lines.length - anchors.length
  if (ignored > 0) edge.err(`${file}: lines that are no checkpoint, ignored: ${ignored}`)
  return anchors
}
