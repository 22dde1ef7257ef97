// The card form: Stripe's own fields, and what follows when Stripe has said yes. Card numbers never reach this script.
"use strict";

const form = document.getElementById("card-form");
if (form) {
  const { key, secret, kind } = form.dataset;
  const stripe = window.Stripe(key);
  const error = document.getElementById("card-error");
  let card = null;
  if (kind === "setup") {
    card = stripe.elements().create("card");
    card.mount("#card-element");
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.textContent = "";
    const result = card
      ? await stripe.confirmCardSetup(secret, { payment_method: { card } })
      : await stripe.confirmCardPayment(secret);
    if (result.error) {
      error.textContent = result.error.message;
    } else {
      form.submit();
    }
  });
}
