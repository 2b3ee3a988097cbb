{{ asset("eli5.js") }}
