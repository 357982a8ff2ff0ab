/**
 * 告知 and 同意: where the law gives the duty the page informs, where consent is the basis it asks, and refusing weighs
 * the same as agreeing (PAGES "What is told, what is asked"; PIPL 13, 17, 23, 29).
 */
import { Router } from 'express'
import { field, parseForm } from '#src/http/input.ts'
import { formTargetsOf } from '#src/http/security.ts'
import type { Pages } from '#src/http/pages.ts'
import type { Directory } from '#src/login/directory.ts'
import { lacksNumber } from '#src/login/policy.ts'
import type { Interactions } from '#src/oidc/interaction.ts'

export interface NoticeParts {
  readonly interactions: Interactions
  readonly pages: Pages
  readonly directory: Pick<Directory, 'byId'>
}

export function noticePages({ interactions, pages, directory }: NoticeParts): Router {
  const router = Router()

  router.get('/login/:uid', async (request, response) => {
    const interaction = await interactions.find(request, response, String(request.params['uid']))
    if (interaction.prompt === 'login') return response.redirect(303, `/login/${interaction.uid}/phone`)
    const { application, grants, accountId } = interaction
    const citizen = accountId === undefined ? undefined : await directory.byId(accountId)
    pages.send(request, response, {
      view: 'notice',
      data: {
        base: `/login/${interaction.uid}`,
        application: application.name,
        owner: application.owner,
        duties: grants.filter(({ basis }) => basis === 'duty'),
        consents: grants.filter(({ basis }) => basis === 'consent'),
        // Of an account without a number nothing of this can leave yet.
        unnamed: citizen !== undefined && lacksNumber(citizen),
      },
      formTargets: formTargetsOf(application.redirectUris),
    })
  })

  router.post('/login/:uid/notice', parseForm, async (request, response) => {
    const interaction = await interactions.find(request, response, String(request.params['uid']))
    if (interaction.prompt !== 'consent') return response.redirect(303, `/login/${interaction.uid}`)
    const agrees = field(request, 'answer') === 'agree'
    const ticked = field(request, 'id_number') === 'on'
    const agreed = interaction.grants
      .filter(({ basis, claim }) => basis === 'duty' || (agrees && (claim !== 'id_number' || ticked)))
      .map(({ claim }) => claim)
    response.redirect(303, await interactions.answered(request, response, interaction, agreed))
  })

  return router
}
