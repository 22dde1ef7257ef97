// The card form: Stripe's own fields, and what follows when Stripe has said yes. Card numbers never reach this script.
"use strict";

const form = document.getElementById("card-form");
function prepare(form) {
  const { key, secret, kind } = form.dataset;
  const error = document.getElementById("card-error");
  const stripe = typeof window.Stripe === "function" ? window.Stripe(key) : null;
  let card = null;
  if (!stripe) {
    error.textContent = "Stripe could not be reached from this browser, and without it no card can be used. Try again later.";
    form.querySelector("button").disabled = true;
    return;
  }
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
if (form) prepare(form);
