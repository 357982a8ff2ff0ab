// 刷身份证: nothing beside the card.
cardTerminal(document.querySelector('form[data-device=id-card]'))
