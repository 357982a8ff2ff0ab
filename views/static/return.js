// Sends on what another site has brought, without a press where scripts run.
document.querySelector('form[data-return]')?.submit()
