"""Titles of the claims."""

CLAIMS = {
    "scaling": "t* falls as 1/(ηλ)",
    "scaling_eta": "t* falls as 1/η",
    "scaling_lam": "t* falls as 1/λ",
    "collapse": "One κ serves all points",
    "schedule_collapse": "One κ serves all points whose η changes along the run",
    "small_lambda_ratio": "κ at small λ is at most about twice that at large λ",
    "init_scale": "κ does not depend on the initialization scale σ_w",
    "plateau": "Accuracy levels off at small λ",
    "fixed_budget_optimum": "A fixed budget has its best λ inside the grid",
    "eta_independence": "Accuracy hardly depends on η",
    "product_constant": "In one time, accuracy depends on ηλ alone",
    "lambda_pred_order": "λ_pred, of c from runs that peak within T/10, is within a factor of ten of the tuned λ",
    "lambda_pred_accuracy": "λ_pred, of c from runs that peak within T/10, reaches the tuned accuracy",
    "fit_time": "Training accuracy 1 takes a time ∝ 1/η",
    "fit_time_lam": "Training accuracy 1 takes a time that hardly depends on λ",
    "catapult": "What η changes at training accuracy 1 is gone at the maximum",
    "train_loss_minimum": "The training loss turns at a time ∝ 1/(ηλ)",
    "overparameterized": "The network can fit its training set",
    "lambda_opt": "t* ∝ 1/λ above the best λ, constant below it",
}
