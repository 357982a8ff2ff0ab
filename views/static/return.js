// Sends on what another site has brought, without a press where scripts run; a field of its may be called "submit".
const form = document.querySelector('form[data-return]')
if (form) HTMLFormElement.prototype.submit.call(form)
