/**
 * The services outside the city hall that the demo city stands in for: each a simulator of its published shapes under a
 * path of its own, all on one port. None of them is ever loaded in production.
 */
import express, { type Express, type Router } from 'express'
import type { CitySettings } from './city.ts'
import { populationFile } from './cast.ts'
import { createDesk } from './fake-reader/desk.ts'
import type { FakeReader } from './fake-reader/sam.ts'
import { createFaceService } from './face-service.ts'
import { createCtidService } from './ctid-service.ts'
import { createNation } from './nation.ts'
import { createProvince } from './province.ts'
import { sharedSecret } from './shared-secrets.ts'

/** @returns the simulators by the path under which they answer */
function simulators({ issuer, keys, demo }: CitySettings, cardReader: FakeReader): Readonly<Record<string, Router>> {
  const secretOf = (name: string) => sharedSecret(keys.directory, name)
  const url = `http://localhost:${demo.ports[3]}`
  return {
    'card-reader': createDesk(cardReader, populationFile),
    face: createFaceService({ issuer, url: `${url}/face`, key: Buffer.from(secretOf('face'), 'base64url') }),
    ctid: createCtidService({ issuer, key: Buffer.from(secretOf('ctid'), 'base64url') }),
    province: createProvince({ issuer, url: `${url}/province`, secret: secretOf('province') }),
    nation: createNation({ issuer, secret: secretOf('nation') }),
  }
}

/** @param sites what else answers under a path here: applications, the agent of the tokens */
export function demoServices(
  settings: CitySettings,
  cardReader: FakeReader,
  sites: Readonly<Record<string, Express | Router>> = {},
): Express {
  const app = express()
  app.disable('x-powered-by')
  for (const [path, router] of Object.entries({ ...simulators(settings, cardReader), ...sites }))
    app.use(`/${path}`, router)
  return app
}
