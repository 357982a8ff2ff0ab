import { strict as assert } from 'node:assert'
import { phrases } from '#src/http/phrases.ts'

const marked = (text: string): string => phrases(text).replaceAll('\u200b', '|')

describe('phrases', () => {
  it('lets a heading break between words and after a quoted name', () => {
    assert.equal(marked('“不动产登记”将得到您的哪些信息'), '“不动产登记”|将得到您的哪些|信息')
    assert.equal(marked('请填写短信验证码'), '请填写|短信|验证码')
  })

  it('never parts a name from 的, nor a mark from what it closes', () => {
    assert.doesNotMatch(marked('“社保查询”的登录'), /\|的/)
    assert.doesNotMatch(marked('一个账号，办所有政务事项'), /\|[，。]/)
  })

  it('changes nothing that is read, and leaves text without Chinese as it is', () => {
    const title = '这项服务需要已实名的账号'
    assert.equal(phrases(title).replaceAll('\u200b', ''), title)
    assert.equal(phrases('What “Property registration” will learn'), 'What “Property registration” will learn')
  })
})
