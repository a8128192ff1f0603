"""How a rater errs, and what the true scores may be.

scale            ratings 1-10 to scores 0-5
patterns         own score and neighbours' scores, counted once; near-duplicates set aside
latent_class     the model of true score, own rating and neighbours' ratings, and its fit
moments          the same model by moments, as the paper fits it
squarem          expectation maximisation that leaps
features         a second opinion from a row's own features
audit            second ratings of some rows, and the model that they allow
choice           how far to believe neighbours and features
regions          standard errors
trust            when not to believe any of it
transition       the transition matrix T by any method
correction       corrected scores
agreement        how far raters agree
"""
