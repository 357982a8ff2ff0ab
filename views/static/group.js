// Shows phone and ID number in groups while they are typed (PAGES.md). The pages work without it.
for (const input of document.querySelectorAll('input[data-group]')) {
  const sizes = input.dataset.group.split(',').map(Number)
  const grouped = (text) => {
    let rest = text.replace(/[\s-]/g, '')
    const parts = []
    for (const size of sizes) {
      if (rest === '') break
      parts.push(rest.slice(0, size))
      rest = rest.slice(size)
    }
    return [...parts, ...(rest === '' ? [] : [rest])].join(' ')
  }
  const fits = (text) => /^[0-9xX\s-]*$/.test(text)
  const show = () => {
    // Only at the end of the text: a correction in the middle must not move the cursor.
    const atEnd = input.selectionStart === input.value.length
    if (atEnd && fits(input.value)) input.value = grouped(input.value)
  }
  input.addEventListener('input', (event) => {
    if (!event.isComposing && !String(event.inputType).startsWith('delete')) show()
  })
  input.addEventListener('blur', () => {
    if (fits(input.value)) input.value = grouped(input.value)
  })
}
