// First the page is seen. Then steps of Lehmer's generator, as many as it says; a site leaps to the end by powers.
addEventListener("load", () => setTimeout(() => {
  const { nonce, rounds } = window._cf_chl_opt;
  let answer = nonce;
  for (let round = 0; round < rounds; round += 1) answer = (answer * 48271) % 2147483647;
  document.cookie = `clearance=${nonce}.${answer}; Path=/; Max-Age=86400; SameSite=Lax`;
  location.reload();
}, 100));
