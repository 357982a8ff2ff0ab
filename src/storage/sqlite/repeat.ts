/**
 * Repeats the endings of the ledger on a database that has not seen them: after a restore, or after a crash between the
 * ledger and the commit. The rows it changes get a new MAC (DESIGN D11), if the one they had was right; so nobody gets
 * a forged row signed by restoring it.
 */
import type { PersonMac } from '../person-mac.ts'
import type { Reader } from './connection.ts'
import { createEndings } from './endings.ts'
import type { Act, Mark } from './ledger.ts'
import { createPersonRows } from './person-rows.ts'

/**
 * The ledger only takes away, since its lines are under no key: who stood suspended before it stays so, whatever it says
 * of him later. Whoever it suspends it may reinstate.
 * @param mac without it a row that is changed here is refused from then on
 */
export async function repeatEndings(db: Reader, acts: readonly (Act & Mark)[], mac?: PersonMac): Promise<void> {
  const rows = createPersonRows(db)
  const endings = createEndings(db)
  const suspend = db.prepare("UPDATE people SET status = 'suspended' WHERE id = ? AND status = 'active'")
  const setMac = db.prepare('UPDATE people SET mac = ? WHERE id = ?')

  const sound: string[] = []
  const suspended: string[] = []
  for (const id of new Set(acts.map(({ subject }) => subject))) {
    const row = rows.byId(id)
    if (row?.status === 'suspended') suspended.push(id)
    if (row && (await mac?.holds(row))) sound.push(id)
  }
  for (const act of acts) endings.carryOut(act)
  for (const id of suspended) suspend.run(id)
  for (const id of sound) {
    const row = rows.byId(id)
    if (row && mac) setMac.run(await mac.of(row), id)
  }
  const last = acts.at(-1)
  if (last) endings.setMark(last)
}
